from app.kinds import KINDS
from app.kinds.style_transfer import StyleTransferParams as P
from app.networks.catalogue import SHIPPED, get_card
from app.jobs.admission import memory_of, growing_param, remedy
from app.kinds.work import SPENDINGS, affordable_history
for (w,h) in ((1024,768),(2048,1536),(4096,3072),(8192,6144)):
    p=P(content="c",style=["s"],size=w).resolve(SHIPPED); c=[get_card(p.network)]
    print(w,h,round(memory_of(p,c,h/w)/2**30,2),"least",round(memory_of(p,c,h/w,SPENDINGS[-1])/2**30,2), affordable_history(12*w*h))
for n,kw in (("palette",dict(size=256,steps=100)),("palette",dict(size=64)),("palette",dict(size=512)),("palette",dict(size=1024)),("vgg19-random",dict(size=256)),("palette",dict(size=256,preset="gatys-2016")),("palette",dict(size=1024,preset="gatys-2016"))):
    p=P(content="c",style=["s"],network=n,**kw).resolve(SHIPPED)
    print(n,kw,round(memory_of(p,[get_card(n)],2/3)/1e6),round(memory_of(p,[get_card(n)],1.0)/1e6))
for k,kw in (("classify",dict(image="i")),("saliency",dict(image="i")),("filters",dict(layer="conv1_1")),("max_patches",dict(dataset="digits",layer="relu3_1")),("embedding",dict(dataset="digits")),("occlusion",dict(image="i")),("evaluate",dict(dataset="digits"))):
    try:
        spec=KINDS[k]; cls=getattr(spec,"params",None) or spec.params_class
        r=cls(**kw).resolve(SHIPPED)
        print(k, growing_param(r), getattr(r,"size","-"), f"There was too little memory for {growing_param(r) or 'size'} {getattr(r,'size',None)}: "+remedy(r,[get_card('palette')],1.0,1<<30))
    except Exception as e: print(k,repr(e)[:150])
