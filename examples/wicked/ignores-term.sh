# Ignores TERM, INT and HUP, and so do its children: only KILL helps.
trap '' TERM INT HUP
echo ready
while :; do sleep 5; done
