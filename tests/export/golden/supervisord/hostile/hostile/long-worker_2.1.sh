#!/bin/sh
# Made by procman export supervisord for hostile. Changes made here are lost at the next export.
# long-worker_2.1: started by hostile.conf

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/long-worker_2.1.env"
cd '/srv/50% off' || exit 111
set -- "$@" /bin/sh -c 'trap '\''exit 143'\'' TERM; FOO='\''a b'\'' ./work "$(date +%s)" \\ %h'
user=deploy
if [ "$(id -un)" != "$user" ]; then
    set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
fi
unset user
exec "$@"
