# shellcheck shell=bash
# A successor dies in the midst of its recovery: the next one has it, or it is deleted (30 s)
# timeout: 200
file=/dev/shm/$$.hold
lost=0 kept=0
moments=("--die-at START_USER_RECOVERY:" "--die-after 0" "--die-after 8"
	"--die-at END_USER_RECOVERY")
has_fault warns_of_half_fetched || has_fault half_fetched_recovery_leaks ||
	moments+=("--die-after 3")
for at in "${moments[@]}"; do
	hold_start --depth 8 --recovery 2 --file $file
	hold_live
	random_file ref 65536
	dd if=ref of="$DEV" bs=64k oflag=direct status=none || fail "write"
	kill -KILL "$HOLD_PID"
	wait "$HOLD_PID"
	# shellcheck disable=SC2086  # an option and its value
	hold_start --recover --id "$ID" --file $file $at
	wait_for 20 dead "$HOLD_PID" || fail "did not die"
	wait "$HOLD_PID"
	wait_for 10 no_broker || fail "the broker is still there"
	if [ ! -e "/dev/ublkc$ID" ]; then
		# Nobody could have it any more.
		lost=$((lost + 1))
		no_device "$ID" || fail "half of device $ID is left"
		continue
	fi
	kept=$((kept + 1))
	# Twice: the first successor that lives is killed as well.
	for i in 1 2; do
		hold_start --recover --id "$ID" --file $file
		hold_live
		same ref || fail "the data, $at"
		[ $i = 2 ] || {
			kill -KILL "$HOLD_PID"
			wait "$HOLD_PID"
		}
	done
	kill -TERM "$HOLD_PID"
	wait_for 20 dead "$HOLD_PID" || fail "does not end"
	wait "$HOLD_PID" || fail "e2e_hold: $(tail -n1 "$HOLD_LOG")"
done
note "$kept devices were recovered by the next, $lost deleted by the broker"
if has_fault half_recovered_is_lost; then
	[ $lost -gt 0 ] || fail "no device was deleted: is the fault mended?"
else
	[ $lost = 0 ] || fail "a device was deleted"
fi
rm -f $file
new_device
