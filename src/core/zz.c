int core_zz(void); int core_zz(void) { return 1; }
