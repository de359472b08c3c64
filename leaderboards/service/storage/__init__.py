"""What the service keeps: tables, queue, accounts, index of the boards, backups."""
