# Writes to both streams and exits in the same moment. Neither line may be lost.
echo "last words on stdout"
echo "last words on stderr" >&2
exit 0
