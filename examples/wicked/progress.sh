# Draws a progress bar: a hundred states of one line, each starting with a carriage return.
done=0
while [ "$done" -lt 100 ]; do
    done=$((done + 1))
    printf '\rdownloading %3d%%' "$done"
done
printf '\n'
echo "downloaded"
