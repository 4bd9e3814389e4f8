"""What `terraform validate` needs of the Google provider where its registry cannot be reached: its schema."""
