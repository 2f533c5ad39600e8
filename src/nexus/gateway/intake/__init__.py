"""Request → Call: which operation on which model, streaming or not; everything else in the body stays bytes."""
