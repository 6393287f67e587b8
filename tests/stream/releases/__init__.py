"""Tests of releases of policy and registers."""
