"""What clients send and what they were promised: the benchmark, arrivals, lengths, traces."""
