#!/bin/sh
# Made by procman export launchd for fleet. Changes made here are lost at the next export.
# web.2: started by fleet.web.2.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/web.2.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'exec ./serve --port $PORT'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
