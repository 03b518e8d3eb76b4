from correcting_cases import *
from test_correct_times import real
def test_x(real, wait_until, loop_watch):
    assert wait_until(lambda: len(real.queue.cases) == 2, 30)
    open_case(real, wait_until, real.queue.cases[0].id)
    wait_until(lambda: False, 4)
    for name in ("grow","add","take","clear"):
        out=[]
        for _ in range(4):
            draw(real, (slice(70, 75), slice(100, 120), slice(100, 120))); settled(real, wait_until)
            with loop_watch() as w:
                getattr(real.tools,name)(); settled(real, wait_until)
            out.append((round(w.longest*1000),round(w.longest_work*1000)))
        print("OUT",name,out)
