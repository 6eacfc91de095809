"""From a running manifest repository to Headgate's: what is there, what would stand in its place, what differs."""
