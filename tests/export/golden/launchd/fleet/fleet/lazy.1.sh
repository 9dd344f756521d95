#!/bin/sh
# Made by procman export launchd for fleet. Changes made here are lost at the next export.
# lazy.1: started by fleet.lazy.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/lazy.1.env"
cd /srv/fleet || exit 111
set -- "$@" /bin/sh -c 'exec ./debug'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
