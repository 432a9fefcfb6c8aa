"""Text from outside, checked and made storable: titles, URNs, what a database can hold."""
