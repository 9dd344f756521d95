#!/bin/sh
# Made by procman export launchd for hostile. Changes made here are lost at the next export.
# web.1: started by hostile.web.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/web.1.env"
cd '/srv/50% off' || exit 111
set -- "$@" /bin/sh -c 'trap '\''exit 143'\'' TERM; sh -c '\''echo "it'\''"'\''"'\''s 50% of $PS {{.Task.Slot}}"'\'' && exec ./serve ~/x | tee "log;#"'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
