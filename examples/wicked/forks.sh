# Starts helpers in the background and forgets them: when the shell dies, they survive.
sleep 3600 & sleep 3601 & sleep 3602 &
echo "ready, with three helpers"
wait
