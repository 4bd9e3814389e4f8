"""What is stored and how: the catalogue of events, their codec, wire formats of the outside, and the stores."""
