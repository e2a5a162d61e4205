// Marks functions that kernels of the CUDA backend call too; plain C++ everywhere else.
#pragma once

#ifdef __CUDACC__
#define HOST_DEVICE __host__ __device__
#else
#define HOST_DEVICE
#endif
