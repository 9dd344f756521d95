# Ends immediately, but a helper keeps its output open: waiting for the end of the output takes an hour.
sleep 3603 &
echo "gone, but my helper holds the pipe"
