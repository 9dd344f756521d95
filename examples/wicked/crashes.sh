# Works for a moment, then exits with a failure code.
echo "working"
sleep 0.2
echo "something is wrong" >&2
exit 3
