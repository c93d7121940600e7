"""Tables of identity providers: statements in, frozen values out."""
