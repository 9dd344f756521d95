# Ends at once, but a helper keeps its output open: who waits for the end of the output waits for an hour.
sleep 3603 &
echo "gone, but my helper holds the pipe"
