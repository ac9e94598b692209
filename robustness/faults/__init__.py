"""What happens when programs are killed and disks are full: `python -m robustness.faults`."""
