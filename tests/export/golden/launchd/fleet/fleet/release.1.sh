#!/bin/sh
# Made by procman export launchd for fleet. Changes made here are lost at the next export.
# release.1: started by fleet.release.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/release.1.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'exec ./migrate'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
