#!/bin/sh
# Made by procman export supervisord for tuned. Changes made here are lost at the next export.
# bot.1: started by tuned.conf

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/bot.1.env"
cd /opt/bot || exit 111
set -- "$@" /bin/sh -c 'exec ./bot'
if [ "$(id -un)" != deploy ]; then
    set -- setpriv --reuid deploy --regid "$(id -g deploy)" --init-groups "$@"
fi
exec "$@"
