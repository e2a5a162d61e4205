// How many rows the register tiles of convolutions have, for SIMD files, and tables of a template for each number.
#pragma once

// One instance of a template for every number of rows, in order.
#define VS_ROWS_TO_4(f, V) f<1, V>, f<2, V>, f<3, V>, f<4, V>
#define VS_ROWS_TO_6(f, V) VS_ROWS_TO_4(f, V), f<5, V>, f<6, V>
#define VS_ROWS_TO_12(f, V) VS_ROWS_TO_6(f, V), f<7, V>, f<8, V>, f<9, V>, f<10, V>, f<11, V>, f<12, V>
#define VS_ROWS_TO_14(f, V) VS_ROWS_TO_12(f, V), f<13, V>, f<14, V>
#if defined(__AVX512F__)
#define VS_ROWS 14
#define VS_ALL_ROWS VS_ROWS_TO_14
#elif defined(__aarch64__)
#define VS_ROWS 12
#define VS_ALL_ROWS VS_ROWS_TO_12
#elif defined(__AVX2__)
#define VS_ROWS 6
#define VS_ALL_ROWS VS_ROWS_TO_6
#else
#define VS_ROWS 4
#define VS_ALL_ROWS VS_ROWS_TO_4
#endif
