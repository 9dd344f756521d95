#!/bin/sh
# Made by procman export launchd for fleet. Changes made here are lost at the next export.
# tick.1: started by fleet.tick.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/tick.1.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'exec ./tick'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
