# SPDX-License-Identifier: BSD-2-Clause
# vm/bench/profile.awk: counts QEMU's trace by function; read by vm/bench/profile.
# The first file has symbols (profile-guest), the second the trace:
#	Trace 0: 0x7f.. [cs/pc/flags/..] ...
#	Stopped execution of TB chain before 0x7f.. [pc] ...: that one comes again
# kind: the load; areas, functions: where the counts go.

# where a function belongs, by its name: the first that fits
function area_of(f) {
	if (f ~ /^client\//)
		return "client: its own code"
	if (f ~ /^server\//)
		return "server: user code"
	if (f ~ /\[ublk_drv\]/)
		return "ublk driver"
	if (f ~ /^(__)?(io_|req_|__io|tctx_|ctx_|uring|__x64_sys_io_uring|__do_sys_io_uring|blkdev_uring)/)
		return "io_uring, both sides"
	if (f ~ /eventfd|epoll|^ep_|^(vfs_poll|poll_)/)
		return "epoll, eventfd"
	if (f ~ /copy_|_copy|pin_|unpin|gup|iov_iter|follow_page|folio|memcpy|rep_movs|rep_stos|pte_offset|mt_find|vma_|clear_page|try_grab|bvec_|get_user|put_user/)
		return "copy, page pinning"
	if (f ~ /^(entry_|do_syscall|syscall_|x64_sys_call|__x64_sys_|ret_from|common_interrupt|asm_|irqentry|error_|swapgs|exit_to_user|__rseq|rseq_|__switch_to_asm_ret|srso|retbleed|__x86_)/)
		return "system call entry, exit"
	if (f ~ /hrtimer|timerqueue|ktime|tick_|clockevents|lapic|read_tsc|kvm_clock|timekeep|get_.*time|timer/)
		return "timers, clock"
	if (f ~ /sched|enqueue_|dequeue_|pick_|update_(curr|load|rq|cfs|min|se|dl)|try_to_wake|ttwu|wake|select_task|set_next|put_prev|place_entity|switch|avg|resched|cpuacct|psi_|reweight|__calc_delta|native_load|finish_task|prepare_to|finish_wait|task_|cpu_util|entity|rb_(insert|erase|next)|avg_vruntime|vruntime|_cfs|load_|update_entity|cgroup|preempt|rcu_|rq_|nohz|idle|cpu_startup|mm_cid|raw_spin_rq|dl_server|hrtick/)
		return "scheduler: wake, switch"
	if (f ~ /blk|bio|sbitmap|disk_|part_|submit_|elv_|plug|request|mempool|kmem_cache|dio|block|iomap|bdev|queue_rq|loop|lo_|iov/)
		return "block layer"
	return "the rest of the kernel"
}

# the last symbol that begins at or before pc
function find(pc,    lo, hi, mid) {
	lo = 1; hi = n
	while (lo < hi) {
		mid = int((lo + hi + 1) / 2)
		if (start[mid] <= pc)
			lo = mid
		else
			hi = mid - 1
	}
	return lo
}

# a count of so many bytes is the number that its digits are in base 16, and
# all have sixteen: as text they sort as they should
FNR == NR {
	a = $1
	while (length(a) < 16)
		a = "0" a
	if ($2 == "-") {
		name[a] = $3
	} else {
		e = $2
		while (length(e) < 16)
			e = "0" e
		user_start[++nu] = a
		user_end[nu] = e
		user_name[nu] = $3
	}
	next
}
/^Trace/ {
	split($0, t, "/")
	prev = t[2]
	hits[prev]++
	next
}
/^Stopped/ {
	hits[prev]--
}
END {
	for (a in name)
		start[++n] = a
	sort(1, n)
	for (pc in hits) {
		f = "?"
		if (pc < "8000000000000000") {
			for (i = 1; i <= nu; i++)
				if (pc >= user_start[i] && pc < user_end[i])
					f = user_name[i]
		} else {
			f = name[start[find(pc)]]
			entry = start[find(pc)]
			if (pc == entry)
				calls[f] += hits[pc]
		}
		count[f] += hits[pc]
	}
	reqs = calls[kind ~ /write/ ? "blkdev_write_iter" : "blkdev_read_iter"]
	if (!reqs) {
		print "no request was seen" >"/dev/stderr"
		exit 1
	}
	for (f in count) {
		sum[area_of(f)] += count[f]
		printf "%s\t%.1f\t%s\n", f, count[f] / reqs, area_of(f) >functions
	}
	for (a in sum)
		printf "%s\t%.1f\n", a, sum[a] / reqs >areas
}
# start[lo..hi] in order (a heap would be no shorter)
function sort(lo, hi,    i, j, p, x) {
	if (lo >= hi)
		return
	p = start[int((lo + hi) / 2)]
	i = lo; j = hi
	while (i <= j) {
		while (start[i] < p) i++
		while (start[j] > p) j--
		if (i <= j) {
			x = start[i]; start[i] = start[j]; start[j] = x
			i++; j--
		}
	}
	sort(lo, j)
	sort(i, hi)
}
