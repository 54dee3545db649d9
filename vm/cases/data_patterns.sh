# shellcheck shell=bash
# Sequential, scattered and multi-block writes end up where they belong (10 s)
demo_start --size 32M --max-io 64K
random_file ref $((32 << 20))

note "sequential, larger than a request may be"
dd if=ref of="$DEV" bs=3M oflag=direct status=none || fail "write"
same ref || fail "sequential"

note "scattered, any offset and length, through the page cache"
# shellcheck disable=SC2016
perl -e '
	srand 7;
	open my $r, "+<", $ARGV[0] or die "$ARGV[0]: $!";
	open my $d, "+<", $ARGV[1] or die "$ARGV[1]: $!";
	for (1 .. 400) {
		my $len = 1 + int rand 70000;
		my $at = int rand((32 << 20) - $len);
		my $data = pack("L", int rand 2**32) x ($len / 4) . "x" x ($len % 4);
		for my $f ($r, $d) {
			sysseek $f, $at, 0 or die;
			syswrite($f, $data) == $len or die "write: $!";
		}
	}
	close $d or die;' ref "$DEV" || fail "scattered writes"
sync "$DEV"
same ref || fail "scattered"

note "single and odd numbers of blocks, direct"
n=0
for blocks in 1 2 3 7 8 9 127 128 129 255; do
	at=$((n * 6007 + 13))
	n=$((n + 1))
	random_file piece $((blocks * 512)) $n
	dd if=piece of="$DEV" bs=$((blocks * 512)) seek=$((at * 512)) \
		oflag=direct,seek_bytes status=none || fail "$blocks blocks"
	dd if=piece of=ref bs=64k seek=$((at * 512)) oflag=seek_bytes \
		conv=notrunc status=none
done
same ref || fail "odd numbers of blocks"
[ "$(stat_of '[.ops[].errors] | add')" = 0 ] || fail "errors were counted"
demo_stop
