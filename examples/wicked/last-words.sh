# Says something and dies in the same moment, on both streams: nothing of it may be lost.
echo "last words on stdout"
echo "last words on stderr" >&2
exit 0
