"""The shell scripts that run on the hosts. Values reach them as arguments, secrets by standard input."""

from __future__ import annotations

from procman.engines.hosts.deployed_record import FILE
from procman.engines.hosts.host_clock import INEXACT
from procman.engines.hosts.unit_states import PROPERTIES, SEPARATOR
from procman.export.file import marker

# The line in each file of ours. The blank at its end keeps "shop" from owning the files of "shop.eu".
_MARK = marker("systemd", "$app") + " "

# Before each script. Its first two arguments are the application's name and its folder.
_HEAD = """\
set -eu
umask 022
LC_ALL=C; export LC_ALL
app=$1 folder=$2; shift 2
base=$folder.releases
"""
# The seconds of systemd's clock, which stands still while a machine is suspended, and the time. The uptime, which may
# differ from it then and in a container, is marked with a tilde. Only root of the whole machine can read the former.
_CLOCK = f"""\
now=$(sed -n '/^now at/{{s/[^0-9]//g;p;q;}}' /proc/timer_list 2>/dev/null) || :
if [ -n "$now" ]; then now=$(printf '%d.%02d' $((now / 1000000000)) $((now / 10000000 % 100)))
else read -r now _ </proc/uptime; now="{INEXACT}$now"; fi
now="$now $(date +%s)"
"""
_SYSTEM = """\
units=/etc/systemd/system
ctl() { systemctl "$@"; }
journal() { journalctl "$@"; }
transient() { systemd-run "$@"; }
"""
_USER = """\
case $folder in /*) ;; *) folder=$HOME/$folder base=$HOME/$base;; esac
XDG_RUNTIME_DIR=${XDG_RUNTIME_DIR:-/run/user/$(id -u)}; export XDG_RUNTIME_DIR
units=${XDG_CONFIG_HOME:-$HOME/.config}/systemd/user
ctl() { systemctl --user "$@"; }
journal() { journalctl --user "$@"; }
transient() { systemd-run --user "$@"; }
"""


# Stands before the output of a script: what the login shell's own files write comes first.
MARK = "procman:begin"


def script(body: str, *, as_user: bool, marked: bool = True) -> str:
    """Return a whole script, whose output begins with a mark."""
    begin = f"echo {MARK}\n" if marked else ""
    return f"{_HEAD}{_USER if as_user else _SYSTEM}{begin}{body}"


def is_marked(output: bytes) -> bool:
    """Whether a script has begun to run."""
    return f"{MARK}\n".encode() in output


def after_mark(output: bytes) -> bytes:
    """Return the output of a script without the mark, and without what the login shell has written."""
    _, mark, rest = output.partition(f"{MARK}\n".encode())
    return rest if mark else output


# The paths of our files below $units.
_OURS = f'grep -lsF "{_MARK}" "$app".* "$app"-* "$app"/* || :'

# Link the targets of all types into that of the application, and the instances in the arguments into those of types.
_LINK_ALL = f"""\
for target in "$app"-*.target; do
    grep -qsF "{_MARK}" "$target" || continue
    mkdir -p "$app.target.wants"; ln -sfn "../$target" "$app.target.wants/$target"
done
for instance; do
    type=${{instance%@*}}
    mkdir -p "$app-$type.target.wants"
    case $instance in *.timer) file=$instance;; *) file=$type@.service;; esac
    ln -sfn "../$app-$file" "$app-$type.target.wants/$app-$instance"
done"""

# What the host is. The argument: the account that the processes run as, if it is not that of the login.
PROBE = """\
login=${SUDO_USER:-$(id -un)}
echo "login=$login"
if [ -n "$1" ] && ! id "$1" >/dev/null 2>&1; then echo account=missing; fi
eval "home=~$login"; echo "home=$home"
[ -d /run/systemd/system ] && echo systemd="$(systemctl --version | sed -n '1s/^systemd \\([0-9]*\\).*/\\1/p')"
command -v tar >/dev/null && echo tar=yes
if [ -L "$folder" ]; then
    case $(readlink "$folder") in "${base##*/}"/*) echo folder=link;; *) echo folder=full;; esac
elif [ -d "$folder" ]; then
    if [ -n "$(ls -A "$folder")" ]; then echo folder=full; else echo folder=empty; fi
elif [ -e "$folder" ]; then echo folder=file; fi
echo linger="$(loginctl show-user "$login" --property=Linger --value 2>/dev/null || :)"
"""

# The record, the clock, whether the version has come up once, all instances, and the folder of each one's process.
SHOW = f"""\
cat "$units/$app/{FILE}" 2>/dev/null || :
printf '\\n{SEPARATOR}\\n'
{_CLOCK}echo "$now$([ ! -e "$folder/../up" ] || echo " up")"
shown=$(ctl show "$app-*@*.service" "$app-*@*.timer" --property={",".join(PROPERTIES)})
printf '%s\\n{SEPARATOR}\\n' "$shown"
for pid in $(printf '%s\\n' "$shown" | sed -n 's/^MainPID=\\([1-9].*\\)/\\1/p'); do
    echo "$pid $(readlink "/proc/$pid/cwd" || :)"
done
"""

# Read the lock: its owner, since when and until when it is valid.
_READ_LOCK = """\
{ read -r other; read -r since; read -r until; } 2>/dev/null <"$base/lock/owner" || {
    other="another command" since=$(stat -c %Y "$base/lock" || echo "$now"); until=$((since + 60)); }
"""

# Take the lock. The arguments are the owner and the seconds that the lock is valid. 3 if another one has it: its owner
# is printed, and how many seconds are left. Only one command at a time does so: of two that find the lock expired, the
# second would remove the new one of the first.
LOCK = f"""\
owner=$1 valid=$2
mkdir -p "$base"
if command -v flock >/dev/null; then exec 9>>"$base/.guard"; flock 9; fi
now=$(date +%s)
take() {{ mkdir "$base/lock" 2>/dev/null && printf '%s\\n' "$owner" "$now" "$((now + valid))" >"$base/lock/owner"; }}
take && exit 0
{_READ_LOCK}if [ "$now" -gt "$until" ]; then
    mv "$base/lock" "$base/lock.$$" 2>/dev/null && rm -rf "$base/lock.$$"
    take && {{ echo "$other"; exit 0; }}
fi
echo "$other"; echo $((until - now)); exit 3
"""

# 3 if someone has a lock that is valid, as for LOCK.
REQUIRE_FREE = f"""\
now=$(date +%s)
[ -e "$base/lock" ] || exit 0
{_READ_LOCK}[ "$now" -le "$until" ] || exit 0
echo "$other"; echo $((until - now)); exit 3
"""

# Release the lock if it is the owner's; any lock for an empty name.
UNLOCK = """\
[ -n "$1" ] || rm -rf "$base/lock"
[ -e "$base/lock/owner" ] || exit 0
read -r other <"$base/lock/owner"
[ "$other" != "$1" ] || rm -rf "$base/lock"
"""

# Unpack the code from standard input into a new release. The arguments: its name, the account that owns it.
UNPACK_CODE = """\
id=$1 account=$2
trap '[ $? = 0 ] || rm -rf "$base/$id"' EXIT
mkdir -p "$base/$id/app"
cd "$base/$id/app"
tar -x -z -o --no-same-permissions -f -
[ "$account" = "$(id -un)" ] || chown -R -h "$account:" .
"""

# Unpack the units from standard input. No one else may read them. Names files in the way that are not ours.
UNPACK_UNITS = f"""\
id=$1
trap '[ $? = 0 ] || rm -rf "$base/$id"' EXIT
mkdir -p -m 700 "$base/$id/units"
cd "$base/$id/units"
umask 077
tar -x -o -p -f -
for path in "$app".* "$app"-*; do
    [ ! -f "$units/$path" ] || grep -qF "{_MARK}" "$units/$path" || {{
        echo "$units/$path exists, and procman has not written it" >&2; exit 1; }}
done
"""

# Run a command of a release and wait for its end. Its exit code is the command's. With --quiet, its output goes to the
# journal, and its last lines are printed if it fails. The arguments: the release ("" for what is deployed), the name of
# the environment file, the type whose own variables are added ("" for none), the unit, the account ("" for none), the
# folder below that of the application, --pty, --pipe or --quiet, the seconds after which it is ended ("" for never),
# and the command.
EXECUTE = """\
id=$1 env=$2 type=$3 unit=$4 account=$5 below=$6 how=$7 limit=$8 command=$9
if [ -n "$id" ]; then root=$base/$id/app files=$base/$id/units/$app; else root=$folder files=$units/$app; fi
case $below in /*) root=$below;; ?*) root=$root/$below;; esac
set -- --quiet --wait --collect --unit="$unit" "$how" --slice="$app.slice" --working-directory="$root" \\
    --property=EnvironmentFile="$files/$env" --property=SyslogIdentifier="$unit"
[ -z "$type" ] || set -- "$@" --property=EnvironmentFile="-$files/$type.all.env" --setenv=PROCMAN_PROCESS="$type"
[ -z "$account" ] || set -- "$@" --uid="$account"
[ -z "$limit" ] || set -- "$@" --property=RuntimeMaxSec="$limit"
# From 256 on, it would color the terminal's background and set its title.
export SYSTEMD_TINT_BACKGROUND=0 SYSTEMD_ADJUST_TERMINAL_TITLE=0
began=$(date +%s) code=0
# systemd would replace variables; $$ is a $ for it.
command=$(printf '%s.' "$command" | sed 's/[$]/&&/g')
transient "$@" -- /bin/sh -c '/bin/sh -c "$$1"; exit $$?' sh "${command%.}" || code=$?
if [ $code != 0 ] && [ "$how" = --quiet ]; then
    journalctl --sync 2>/dev/null || :
    journal --no-pager --quiet --output=cat --lines=20 --since="@$began" "SYSLOG_IDENTIFIER=$unit"
fi
exit $code
"""

# End what EXECUTE runs.
END = """\
ctl stop "$1" 2>/dev/null || :
"""

# Stop the units in the arguments and wait until they are down. 5 is for those that systemd does not know.
STOP = """\
[ $# = 0 ] || ctl stop "$@" || [ $? = 5 ]
"""

# Replace the installed units by those of a release, and let the folder be its code. The record is on standard input.
# The arguments: the release, then the units that start with the host, as TYPE@NUMBER.service. All that needs space on
# the disk comes first; then files only change their names.
INSTALL = f"""\
id=$1; shift
staged=$base/$id/units
mkdir -p "$units"; cd "$units"
draft=.$app.procman
rm -rf "$draft"; trap 'rm -rf "$units/$draft"' EXIT
cp -a "$staged" "$draft"
(umask 077; cat >"$draft/$app/{FILE}")
before=$({_OURS})
for path in $before; do
    # One that is still open would keep its old address, a path in the old release, or start what is gone.
    case $path in *.socket)
        if ! cmp -s "$path" "$draft/$path" || grep -qF "ListenStream=$folder/" "$path"; then ctl stop "$path"; fi;;
    *.timer) [ -e "$draft/$path" ] || ctl stop "$path";;
    esac
done
mkdir -p "$app"
mv -f "$draft/$app"/* "$app/"
rmdir "$draft/$app"
mv -f "$draft"/* .
for path in $before; do
    case $path in *.target) rm -rf "$path.wants";; esac
    [ "$path" = "$app/{FILE}" ] || [ -e "$staged/$path" ] || rm -f "$path"
done
{_LINK_ALL}
if [ ! -L "$folder" ] && [ -d "$folder" ]; then rmdir "$folder"; fi
ln -sfn "${{base##*/}}/$id/app" "$folder.procman"
mv -fT "$folder.procman" "$folder"
ctl enable --quiet --no-reload "$app.target"
ctl daemon-reload
"""

# Change which instances start with the host. The record is on standard input. The arguments: the instances.
LINK = f"""\
cd "$units"
(umask 077; cat >"$app/.{FILE}" && mv -f "$app/.{FILE}" "$app/{FILE}")
for path in $({_OURS}); do
    case $path in *.target) rm -rf "$path.wants";; esac
done
{_LINK_ALL}
ctl daemon-reload
"""

# Start or restart units, after printing the host's clock. The arguments: restart or start, then the units.
LAUNCH = f"""\
verb=$1; shift
{_CLOCK}echo "$now"
[ $# = 0 ] || {{ ctl reset-failed "$@" 2>/dev/null || :; ctl --no-block "$verb" "$@"; }}
"""

# Start the targets, and with them all instances that do not run yet. Prints the host's clock first. The arguments: the
# units to restart, in one word, and those that are new, since a target that is active already starts nothing. What
# fails early is still there to be seen, since the targets want it.
TARGETS = f"""\
again=$1; shift
set -f
{_CLOCK}echo "$now"
[ -z "$again$*" ] || ctl reset-failed $again "$@" 2>/dev/null || :
ctl --no-block start "$app.target" "$@"
[ -z "$again" ] || ctl --no-block restart $again
"""

# Note that the release in the first argument has come up, and remove releases other than those in the arguments.
PRUNE = """\
[ ! -d "$base/$1" ] || : >"$base/$1/up"
for path in "$base"/*/app; do
    id=${path%/app} id=${id##*/} kept=no
    for other; do [ "$id" != "$other" ] || kept=yes; done
    [ $kept = yes ] || [ ! -d "$base/$id" ] || rm -rf "$base/$id"
done
"""

# Stop and remove everything. The arguments: the units to stop. A glob might stop those of another application.
REMOVE = f"""\
[ ! -e "$units/$app.target" ] || ctl disable --quiet "$app.target"
cd "$units" 2>/dev/null && ours=$({_OURS}) || ours=
for path in $ours; do
    case $path in *.socket | *.timer) ctl stop "$path";; esac
done
[ $# = 0 ] || ctl stop "$@" || [ $? = 5 ]
if [ -n "$ours" ]; then
    for path in $ours; do
        case $path in *.target) ctl stop "$path" || :; rm -rf "$path.wants";; esac
        rm -f "$path"
    done
    rm -f "$app/{FILE}"; rmdir "$app" 2>/dev/null || :
fi
ctl daemon-reload
ctl stop "$app.slice" 2>/dev/null || :
[ $# = 0 ] || ctl reset-failed "$@" 2>/dev/null || :
[ ! -L "$folder" ] || rm -f "$folder"
rm -rf "$base"
"""

# The hashes of our installed files.
INSTALLED = f"""\
cd "$units" 2>/dev/null || exit 0
for path in $({_OURS}); do sha256sum "$path"; done
"""

# Print the files in the arguments, each after its length.
READ = """\
cd "$units"
for path; do wc -c <"$path"; cat "$path"; done
"""

IS_GONE = b"gone"
# Say so when the application has been removed. That takes a moment after its target has been stopped.
GONE = f"""\
left=50
while [ -e "$units/$app/{FILE}" ] && [ $left -gt 0 ]; do sleep 0.2; left=$((left - 1)); done
[ -e "$units/$app/{FILE}" ] || echo {IS_GONE.decode()}
"""

# Read the journal. The arguments are those of journalctl.
JOURNAL = """\
journal "$@"
"""

# Read the journal after all that has been written so far has reached it: the last lines of what has just ended. The
# arguments are those of journalctl. Only root may wait for that.
LAST_LINES = f"""\
journalctl --sync 2>/dev/null || :
{JOURNAL}"""
