if [ "$1" = careful ] && [ ! -e accident ]; then
    touch accident
    kill -9 $PPID
fi
echo published
