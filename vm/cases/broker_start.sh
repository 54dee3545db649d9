# shellcheck shell=bash
# kill -9 while the partition scan waits for an answer: reaped, the broker deletes (5 s)
ID=5
hold_start --hold --id $ID
hold_said 10 '^held: READ'
sleep 0.5
# The scan is part of START_DEV on some kernels, and none of it on others.
if grep -q 'START_DEV: ' "$HOLD_LOG"; then
	note "the scan does not hold up START_DEV"
else
	note "START_DEV waits for the scan"
fi
hold_kill
new_device
