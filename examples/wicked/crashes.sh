# Works for a moment, and ends with a code that says it failed.
echo "working"
sleep 0.2
echo "something is wrong" >&2
exit 3
