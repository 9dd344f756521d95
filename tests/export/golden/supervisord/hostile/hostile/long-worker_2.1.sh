#!/bin/sh
# Made by procman export supervisord for hostile. Changes made here are lost at the next export.
# long-worker_2.1: started by hostile.conf

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/long-worker_2.1.env"
cd '/srv/50% off' || exit 111
set -- "$@" /bin/sh -c 'trap '\''exit 143'\'' TERM; FOO='\''a b'\'' ./work "$(date +%s)" \\ %h'
if [ "$(id -un)" != deploy ]; then
    set -- setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups "$@"
fi
exec "$@"
