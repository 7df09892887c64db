"""`python -m curator` and the command `curator`. Ctrl-C during the imports prints no traceback."""

try:
    from curator.cli import main
except KeyboardInterrupt:
    raise SystemExit(1) from None

if __name__ == "__main__":
    main()
