#!/bin/sh
# Made by procman export launchd for shop. Changes made here are lost at the next export.
# worker.1: started by shop.worker.1.plist

# The environment may hold secrets, so it has its own file. Variables that no shell can assign come back in "$@".
. "${0%/*}/worker.1.env"
cd /srv/shop || exit 111
set -- "$@" /bin/sh -c 'exec celery -A shop worker'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
