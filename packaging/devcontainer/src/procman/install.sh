#!/bin/sh
# Install procman into an environment of its own, and its command and completion for every user of the container.
set -eu
package=${PACKAGE:-procman-cli}
folder=/usr/local/lib/procman-venv

# has_python NAME: whether this Python is new enough, and can make environments
has_python() {
    "$1" -c 'import ensurepip, sys, venv; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1
}

python=
for candidate in python3 python3.14 python3.13 python3.12 python3.11 /usr/local/python/current/bin/python3; do
    if has_python "$candidate"; then
        python=$candidate
        break
    fi
done
if [ -z "$python" ] && command -v apt-get >/dev/null; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends python3 python3-venv >/dev/null
    python=/usr/bin/python3
fi
if [ -z "$python" ] || ! has_python "$python"; then
    echo "procman needs Python 3.11 or later with venv; add the feature for Python before this one" >&2
    exit 1
fi

"$python" -m venv "$folder"
"$folder/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check "$package"
ln -sf "$folder/bin/procman" /usr/local/bin/procman
mkdir -p /usr/local/share/bash-completion/completions /usr/local/share/zsh/site-functions
"$folder/bin/procman" completion bash >/usr/local/share/bash-completion/completions/procman
"$folder/bin/procman" completion zsh >/usr/local/share/zsh/site-functions/_procman
"$folder/bin/procman" --version
