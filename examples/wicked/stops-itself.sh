# Suspends itself, as Ctrl-Z would. It cannot handle TERM until it gets CONT.
trap 'echo "woken up and told to stop"; exit 0' TERM
echo ready
kill -STOP $$
while :; do sleep 5 & wait $!; done
