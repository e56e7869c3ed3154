"""What others have a part in: approvals, break-glass, reviews, and notices to recipients."""
