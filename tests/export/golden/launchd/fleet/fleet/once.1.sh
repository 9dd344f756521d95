#!/bin/sh
# Made by procman export launchd for fleet. Changes made here are lost at the next export.
# once.1: started by fleet.once.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/once.1.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'exec ./import --all'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
