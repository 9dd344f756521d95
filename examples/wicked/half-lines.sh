# Asks a question without a newline, continues later, and ends in the middle of a line.
printf 'your name? '
sleep 1
printf 'nobody answered\n'
printf 'the end has no newline'
