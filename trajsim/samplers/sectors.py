import numpy as np
def _charge(dims, modulus):
    q=np.zeros(1,dtype=np.int64)
    for d in dims: q=(np.arange(d)[:,None]+q[None,:]).reshape(-1)
    return q%modulus if modulus else q
def basis(dims, modulus, sector):
    return np.flatnonzero(_charge(dims,modulus)==sector)
def sector_count(dims, modulus):
    return modulus if modulus else sum(d-1 for d in dims)+1
def best_modulus(dims, operators):
    for m in (0,2):
        ok=True
        for n,op in enumerate(operators):
            deltas=set()
            for t in op:
                q=_charge([dims[s] for s in t.sites],0)
                r,c=np.nonzero(t.matrix)
                d=q[r]-q[c]
                deltas|=set((d%m if m else d).tolist())
            if len(deltas)>1 or (n==0 and deltas-{0}): ok=False
        if ok: return m
    return 1
def sector_of(dims, modulus, state):
    q=np.unique(_charge(dims,modulus)[np.abs(state)>1e-15])
    return int(q[0]) if len(q)==1 else None
def largest(dims, modulus):
    return int(np.bincount(_charge(dims,modulus)).max())
