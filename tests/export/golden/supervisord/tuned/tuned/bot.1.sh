#!/bin/sh
# Made by procman export supervisord for tuned. Changes made here are lost at the next export.
# bot.1: started by tuned.conf

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/bot.1.env"
cd /opt/bot || exit 111
set -- "$@" /bin/sh -c 'exec ./bot'
user=deploy
if [ "$(id -un)" != "$user" ]; then
    set -- setpriv --reuid "$user" --regid "$(id -g "$user")" --init-groups "$@"
fi
unset user
exec "$@"
