# Dies by a signal, as a program with a bad pointer does.
echo "working"
kill -SEGV $$
