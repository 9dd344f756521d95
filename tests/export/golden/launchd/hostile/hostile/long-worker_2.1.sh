#!/bin/sh
# Made by procman export launchd for hostile. Changes made here are lost at the next export.
# long-worker_2.1: started by hostile.long-worker_2.1.plist

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/long-worker_2.1.env"
cd '/srv/50% off' || exit 111
set -- "$@" /bin/sh -c 'trap '\''exit 143'\'' TERM; FOO='\''a b'\'' ./work "$(date +%s)" \\ %h'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
