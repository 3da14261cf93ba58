"""Operations of our own, `core/…`: what a workflow needs besides providers. Pure, as connectors are."""
