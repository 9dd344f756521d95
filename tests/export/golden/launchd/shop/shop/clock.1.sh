#!/bin/sh
# Made by procman export launchd for shop. Changes made here are lost at the next export.
# clock.1: started by shop.clock.1.plist

# The environment: secrets, so in a file of its own. What no shell can assign comes back as "$@".
. "${0%/*}/clock.1.env"
cd /srv/shop || exit 111
set -- "$@" /bin/sh -c 'exec celery -A shop beat'
set -- sudo -n -E -u deploy -- /usr/bin/env PATH="$PATH" "$@"
exec "$@"
