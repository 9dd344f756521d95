#!/bin/sh
# Made by procman export launchd for tuned. Changes made here are lost at the next export.
# bot.1: started by tuned.bot.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/bot.1.env"
cd /opt/bot || exit 111
set -- "$@" /bin/sh -c 'exec ./bot'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
