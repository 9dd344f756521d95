#!/bin/sh
# Made by procman export supervisord for fleet. Changes made here are lost at the next export.
# api.1: started by fleet.conf

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/api.1.env"
cd /srv/fleet/services/api || exit 111
set -- "$@" /bin/sh -c 'exec ./api'
if [ "$(id -un)" != deploy ]; then
    set -- setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups "$@"
fi
exec "$@"
