"""Where frames with truth come from, and how questions are drawn from them."""
