# Starts helpers in the background and does not care for them: when the shell dies, they live on.
sleep 3600 & sleep 3601 & sleep 3602 &
echo "ready, with three helpers"
wait
